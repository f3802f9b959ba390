# SPDX-License-Identifier: MIT
from proflite import main

if __name__ == "__main__":
    main()
