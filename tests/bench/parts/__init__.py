# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ./bootstrap bench measures: chains.py and daemons.py are the peers and the product, rows_*.py the rows of the table."""
