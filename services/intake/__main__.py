"""How is intake started? ``python -m services.intake``."""

from services.intake.app import SERVICE
from services.runtime.service import run

if __name__ == "__main__":
    run(SERVICE)
