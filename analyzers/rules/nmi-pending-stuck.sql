-- id:         nmi-pending-stuck
-- severity:   error
-- confidence: strong
-- needs:      cpu loop loop_gate
-- title:      An NMI waits behind a handler that does not end
-- why:        NMIs stay blocked until the handler's IRET, and what the CPU runs is a loop that nothing ends.
-- fix:        See what the handler waits for (inquest show loops, inquest show insns).
-- source:     SDM vol. 3, 6.7.1
-- proof:      scenario nmi-masked
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu ' || c.cpu AS subject,
       'on cpu ' || c.cpu || ' an NMI waits, NMIs are blocked, and the loop at ' || hex64(l.first)
       || ' does not end by itself' AS detail
  FROM cpu c
  JOIN loop l USING (machine_id, sample_id, cpu)
 WHERE c.nmi_pending = 1
   AND c.nmi_masked = 1
   AND c.smm = 0
   AND coalesce(c.mp_state, 0) = 0
   AND c.intr_flag = 0
   AND l.kind IN ('closed', 'polling')
   AND NOT EXISTS (SELECT 1 FROM loop_gate g
                    WHERE g.machine_id = c.machine_id AND g.sample_id = c.sample_id
                      AND g.cpu = c.cpu AND g.nr_writers > 0);

SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu' AS tbl,
       c.rowid AS row,
       'nmi.pending 1, nmi.masked 1, IF ' || coalesce(c.intr_flag, 'unknown')
       || coalesce(', rip ' || hex64(c.lin_rip), '') AS text
  FROM cpu c
 WHERE c.nmi_pending = 1
UNION ALL
SELECT sample_id || '.' || cpu,
       machine_id,
       'loop',
       rowid,
       'a ' || kind || ' loop from ' || hex64(first) || ' to ' || hex64(last)
  FROM loop
 WHERE kind IN ('closed', 'polling');

SELECT machine_id,
       'cpu' AS tbl,
       'whether an NMI waits is unknown of ' || count(*) || iif(count(*) = 1, ' CPU', ' CPUs')
       AS message
  FROM cpu
 WHERE (nmi_pending IS NULL OR nmi_masked IS NULL OR smm IS NULL)
   AND coalesce(nmi_pending, 1) = 1
   AND coalesce(nmi_masked, 1) = 1
   AND coalesce(smm, 0) = 0
 GROUP BY machine_id;
