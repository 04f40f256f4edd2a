"""A simulated teacher: `world` holds the facts, `mind` composes answers, `server` delivers them."""
