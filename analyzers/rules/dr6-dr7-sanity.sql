-- id:         dr6-dr7-sanity
-- severity:   error
-- confidence: proof
-- needs:      dbgreg
-- title:      A debug register holds what no CPU holds
-- why:        Bits of DR6 and DR7 are fixed; with others a VM entry or VMRUN is refused, and a value like this was never read from a CPU.
-- fix:        See who wrote the register file: a restore with the wrong layout, or memory corruption in the VMM.
-- source:     SDM vol. 3, 17.2.3, 17.2.4 and 27.3.1.1; APM vol. 2, 15.5.1
-- proof:      built sql
SELECT d.sample_id || '.' || d.cpu || '.' || d.name AS key,
       d.machine_id,
       'cpu ' || d.cpu AS subject,
       d.name || ' of cpu ' || d.cpu || ' is ' || hex64(d.value) || ': '
       || CASE WHEN d.value >> 32 <> 0 THEN 'bits 63 to 32 must be 0'
               WHEN d.name = 'dr7' AND d.value >> 10 & 1 = 0 THEN 'bit 10 must be 1'
               WHEN d.name = 'dr7' THEN 'bits 12, 14 and 15 must be 0'
               WHEN d.value >> 12 & 1 = 1 THEN 'bit 12 must be 0'
               ELSE 'bits 31 to 17 and 10 to 4 must be 1' END AS detail
  FROM dbgreg d
 WHERE ((d.name = 'dr6' AND (d.value >> 32 <> 0 OR d.value & 4294838256 <> 4294838256
                             OR d.value >> 12 & 1 = 1))
        -- bits 11 (RTM) and 12 of DR7 came with later CPUs; 15 and 14 never
        OR (d.name = 'dr7' AND (d.value >> 32 <> 0 OR d.value & 1024 = 0
                                OR d.value & 53248 <> 0)))
   -- a producer that leaves both at 0 has not read them
   AND EXISTS (SELECT 1 FROM dbgreg o
                WHERE o.machine_id = d.machine_id AND o.sample_id = d.sample_id AND o.cpu = d.cpu
                  AND o.name IN ('dr6', 'dr7') AND o.value <> 0);

SELECT sample_id || '.' || cpu || '.' || name AS key,
       machine_id,
       'dbgreg' AS tbl,
       rowid AS row,
       name || ' = ' || hex64(value) || coalesce(': ' || text, '') AS text
  FROM dbgreg
 WHERE name IN ('dr6', 'dr7')
   AND value IS NOT NULL;

SELECT machine_id,
       'dbgreg' AS tbl,
       'DR6 or DR7 is unknown of ' || count(DISTINCT cpu)
       || iif(count(DISTINCT cpu) = 1, ' CPU', ' CPUs') AS message
  FROM dbgreg
 WHERE name IN ('dr6', 'dr7')
   AND value IS NULL
 GROUP BY machine_id;
