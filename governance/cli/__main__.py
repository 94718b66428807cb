"""`python -m governance.cli` is `vigil`."""

from governance.cli.main import run

if __name__ == "__main__":
    run()
