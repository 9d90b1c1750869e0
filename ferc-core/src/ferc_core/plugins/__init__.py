"""The plugin host: what may be registered, who registered it, what is wrong with a plugin."""
