-- id:         windows-bugcheck
-- severity:   fatal
-- confidence: proof
-- needs:      bugcheck bugcheck_param windows_cpu
-- title:      Windows stopped with a bug check
-- why:        The kernel found a state that it does not go on from, and says in the header of the dump which one.
-- fix:        Read the parameters. With CLOCK_WATCHDOG_TIMEOUT one processor took no interrupt, and if it has no new context not even the NMI of the crash: look for what stops both, as SMM does.
-- source:     Microsoft Learn, Bug Check Code Reference
-- proof:      built windows
SELECT b.code AS key,
       b.machine_id AS machine_id,
       coalesce(b.name, 'bug check ' || hex64(b.code)) AS subject,
       coalesce(b.name || ' (' || hex64(b.code) || ')', 'bug check ' || hex64(b.code))
       || coalesce(' on cpu ' || b.crashed_cpu, '')
       || coalesce(' at ' || hex64(b.rip), '')
       || CASE WHEN b.code = 257
               THEN coalesce('; cpu ' || b.hung_cpu || ' does not respond',
                             '; which processor does not respond is unknown: ' || b.no_list,
                             '; which processor does not respond is unknown')
               ELSE '' END AS detail
  FROM bugcheck b
 WHERE b.code NOT IN (0, 353);

SELECT b.code AS key,
       b.machine_id AS machine_id,
       'bugcheck' AS tbl,
       b.rowid AS row,
       'code ' || hex64(b.code) || coalesce(' ' || b.name, '')
       || coalesce(', build ' || b.build, '') AS text
  FROM bugcheck b
 WHERE b.code NOT IN (0, 353)
UNION ALL
SELECT b.code,
       p.machine_id,
       'bugcheck_param',
       p.rowid,
       'parameter ' || p.nr || ' = ' || hex64(p.value) || coalesce(': ' || p.meaning, '')
  FROM bugcheck b
  JOIN bugcheck_param p ON p.machine_id = b.machine_id
 WHERE b.code NOT IN (0, 353)
UNION ALL
SELECT b.code,
       c.machine_id,
       'windows_cpu',
       c.rowid,
       'cpu ' || c.cpu || coalesce(' has its PRCB at ' || hex64(c.prcb), '')
       || iif(c.has_context = 1, ', registers as it last saved them', ', no registers')
  FROM bugcheck b
  JOIN windows_cpu c ON c.machine_id = b.machine_id AND c.cpu = b.hung_cpu
 WHERE b.code NOT IN (0, 353);
