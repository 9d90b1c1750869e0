"""Environments in which NumPy, OpenCV, libjpeg and Numba do without instructions that are there."""

from __future__ import annotations

SETS: dict[str, dict[str, str]] = {
    "NumPy without AVX-512": {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"},
    "NumPy without AVX2": {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"},
    "linear algebra for Nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "OpenCV without AVX-512": {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL"},
    "OpenCV without AVX2": {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX2,FMA3"},
    "OpenCV with SSE4.2 alone": {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX2,FMA3,AVX,FP16"},
    "OpenCV without IPP": {"OPENCV_IPP": "disabled"},
    "libjpeg without vectors": {"JSIMD_FORCENONE": "1"},
    "loops for AVX2": {"NUMBA_CPU_NAME": "haswell"},
    "loops for SSE2 alone": {"NUMBA_CPU_NAME": "x86-64"},
    "no loop compiled": {"NUMBA_DISABLE_JIT": "1"},
    "all of it": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "JSIMD_FORCENONE": "1",
        "NUMBA_CPU_NAME": "x86-64",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX2,FMA3,AVX,FP16",
        "OPENCV_IPP": "disabled",
    },
}
TESTED = (
    "NumPy without AVX2",
    "OpenCV with SSE4.2 alone",
    "loops for SSE2 alone",
    "all of it",
    "no loop compiled",
)
