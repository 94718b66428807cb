"""What follows a release: outcomes, monitor runs, holds, reviews of findings."""
