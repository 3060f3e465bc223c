"""Local analyses on any geometry: tiles of near sites, the observations around them, tapers by distance."""
