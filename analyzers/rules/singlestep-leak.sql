-- id:         singlestep-leak
-- severity:   warning
-- confidence: strong
-- needs:      cpu dbgreg kernel step
-- title:      Single-stepping was left on
-- why:        With RFLAGS.TF each instruction ends in a #DB: the code runs a thousand times slower, and in a handler that clears nothing for ever.
-- fix:        Find who set TF: a debugger of the system, or a hypervisor that stepped over an IRET and did not put the flags back.
-- source:     SDM vol. 3, 17.3.1.4; Linux arch/x86/kvm/svm/svm.c svm_enable_nmi_window
-- proof:      scenario singlestep-leak
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu ' || c.cpu AS subject,
       CASE WHEN c.rflags >> 8 & 1 = 1
            THEN 'cpu ' || c.cpu || ' runs privileged code with RFLAGS.TF set, at '
            ELSE 'cpu ' || c.cpu || ' took a single-step #DB (DR6 ' || hex64(d.value)
                 || ' has BS) and is in privileged code at ' END
       || coalesce(hex64(c.lin_rip), 'an unknown address') AS detail,
       -- the #DB of a process that is being debugged enters Linux with BS set
       CASE WHEN c.rflags >> 8 & 1 = 0 AND EXISTS (SELECT 1 FROM kernel k
                                                    WHERE k.machine_id = c.machine_id
                                                      AND k.os = 'linux')
            THEN 'info' ELSE 'warning' END AS severity
  FROM cpu c
  LEFT JOIN dbgreg d ON d.machine_id = c.machine_id AND d.sample_id = c.sample_id
                    AND d.cpu = c.cpu AND d.name = 'dr6'
 WHERE c.cpl = 0
   AND coalesce(c.smm, 0) = 0
   AND (c.rflags >> 8 & 1 = 1 OR d.value >> 14 & 1 = 1)
   AND NOT EXISTS (SELECT 1 FROM step s -- the VMM stepped it
                    WHERE s.machine_id = c.machine_id AND s.cpu = c.cpu);

SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu' AS tbl,
       c.rowid AS row,
       'rflags ' || hex64(c.rflags) || ', rip ' || coalesce(hex64(c.lin_rip), 'unknown') || ', cpl '
       || c.cpl AS text
  FROM cpu c
 WHERE c.cpl = 0
UNION ALL
SELECT sample_id || '.' || cpu,
       machine_id,
       'dbgreg',
       rowid,
       name || ' = ' || hex64(value) || coalesce(': ' || text, '')
  FROM dbgreg
 WHERE name = 'dr6'
   AND value IS NOT NULL;

SELECT c.machine_id,
       'cpu' AS tbl,
       'flags or DR6 are unknown of ' || count(*) || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu c
  LEFT JOIN dbgreg d ON d.machine_id = c.machine_id AND d.sample_id = c.sample_id
                    AND d.cpu = c.cpu AND d.name = 'dr6'
 WHERE (c.rflags IS NULL OR c.cpl IS NULL OR d.value IS NULL)
   AND coalesce(c.cpl, 0) = 0
   AND coalesce(c.smm, 0) = 0
   AND coalesce(c.mp_state, 0) IN (0, 3)
 GROUP BY c.machine_id;
