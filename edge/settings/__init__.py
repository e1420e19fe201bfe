"""Typed settings with units and bounds, and the TOML files that they come from.

For the rest of the edge: `load.load_node`, `load.from_origin`, `node.NodeSettings`, `sites.SiteTable`,
`reload.Reloader`.
"""
