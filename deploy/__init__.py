"""How Tandem is run: on one machine (`local`), and in a cluster."""
