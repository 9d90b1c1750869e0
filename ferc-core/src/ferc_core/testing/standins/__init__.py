"""Stand-ins for datasets that may not be redistributed: their layouts, filled with toy faces.

    from ferc_core.testing.standins import write_affectnet

    def test_my_loader(tmp_path):
        root = write_affectnet(tmp_path, train=80, valid=16, quirks=("codes", "missing"))

Every release is available, at any size, with the quirks of real copies to choose from, for tests
of your own loaders and of whole runs.
"""

from ferc_core.testing.standins.affectnet import write_affectnet
from ferc_core.testing.standins.affwild import write_affwild
from ferc_core.testing.standins.ferplus import write_ferplus
from ferc_core.testing.standins.rafdb import write_rafdb

__all__ = ["write_affectnet", "write_affwild", "write_ferplus", "write_rafdb"]
