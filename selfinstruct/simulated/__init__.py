"""A simulated teacher: `world` is what is true, `mind` what the teacher says, `server` how it says it."""
