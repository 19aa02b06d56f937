"""The web console: pages made by the server, on the API's own port, readable without a script.

A page is one function in `pages/` and one template of the same name; `page.py` says how. What a page shows, its twin at the
same address with `.json` says to programs.
"""
