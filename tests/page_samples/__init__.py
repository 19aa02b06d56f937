"""The SwiftClaw page's own samples, as receivers have copied them."""
