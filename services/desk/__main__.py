"""How is desk started? ``python -m services.desk``."""

from services.desk.app import SERVICE
from services.runtime.service import run

if __name__ == "__main__":
    run(SERVICE)
