"""How is notify started? ``python -m services.notify``."""

from services.notify.app import SERVICE
from services.runtime.service import run

if __name__ == "__main__":
    run(SERVICE)
