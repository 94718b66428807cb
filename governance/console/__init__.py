"""The console: what people see of the deployment, and the forms by which they act.

Lives here: pages on the server's side, their views (frozen values read from one consistent state),
templates, one stylesheet and one small script that only saves clicks: every page and form works
without it. Must not live here: decisions, transition tables, statistics, SQL. Buttons are drawn
from change_control's tables; a form posts an operation by its name. Who may import it: the server.
"""
