"""From unwrapped phases to motion: heights, atmosphere, virtual reference, honest sigmas."""
