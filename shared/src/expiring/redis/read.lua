local rows = {}
for at = 2, #ARGV do rows[at - 1] = read(ARGV[at]) or false end
return rows
