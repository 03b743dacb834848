"""`python -m gr2st …`."""

from gr2st.cli import main

if __name__ == "__main__":
    main()
