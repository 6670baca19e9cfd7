update pg_database copy
set datacl = template.datacl, datconnlimit = template.datconnlimit
from pg_database template
where template.datname = %(template)s and copy.datname = %(copy)s
