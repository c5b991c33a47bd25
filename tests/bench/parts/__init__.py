# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ./bootstrap bench measures: chains.py and monitors.py are the peers, product.py is the product, rows_*.py the rows of the table."""
