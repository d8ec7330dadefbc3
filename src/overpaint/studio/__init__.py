"""Overpaint Studio, the web page: ES modules and a stylesheet, served by ``overpaint.server.routes_studio``."""
