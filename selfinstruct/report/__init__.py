"""A run as one HTML page that explains itself: RUN/report.html.

    figures    what is shown, read from the store: also as JSON, for machines
    verbs      what instructions ask for, roughly
    charts     the pictures, as inline SVG
    page       all of it as HTML (page.html is the template, selfinstruct.web.page its look)

The page has no script and loads nothing; all model text is escaped, and characters that are invisible, or
would turn the text around, are spelled out. Not covered: whether a model learns from it.
"""
