"""Which workloads are measured? One module each, with one public function; ``tests/bench/registry.py`` names them."""
