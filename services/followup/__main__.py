"""Run followup: ``python -m services.followup``."""

from services.followup.app import SERVICE
from services.runtime.service import run

if __name__ == "__main__":
    run(SERVICE)
