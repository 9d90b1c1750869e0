"""FER methods: a network, and how it learns."""
