"""Run the router: ``python -m services.router``."""

from services.router.app import SERVICE
from services.runtime.service import run

if __name__ == "__main__":
    run(SERVICE)
