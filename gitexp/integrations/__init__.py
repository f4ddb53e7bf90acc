"""Bridges to tools that people use already; nothing else imports them."""
