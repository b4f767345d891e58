-- id:         cpu-hlt-if0
-- severity:   error
-- confidence: strong
-- needs:      cpu
-- uses:       cpu_os frame
-- title:      CPU is halted with interrupts off
-- why:        HLT ends at an interrupt that may be delivered; with IF = 0 only an NMI, an SMI or an INIT is one.
-- fix:        See who executed HLT (inquest show insns): a dead end of the code, or a missing STI before it.
-- source:     SDM vol. 2, HLT; SDM vol. 3, 6.8.1
-- proof:      scenario hlt-if0
SELECT sample_id || '.' || cpu AS key,
       machine_id,
       'cpu ' || cpu AS subject,
       'cpu ' || cpu || ' is halted at ' || coalesce(hex64(lin_rip), 'an unknown address')
       || ' with IF = 0: '
       || CASE WHEN nmi_masked = 1 AND smm = 0 THEN 'NMIs are masked as well, only INIT or SMI wakes it'
               ELSE 'only an NMI, an SMI or INIT wakes it' END AS detail,
       -- a Linux that stops, or one whose CPU was taken off, halts so on purpose
       CASE WHEN EXISTS (SELECT 1 FROM cpu_os o
                           JOIN frame f ON f.machine_id = o.machine_id AND f.task = o.task
                          WHERE o.machine_id = cpu.machine_id AND o.sample_id = cpu.sample_id
                            AND o.cpu = cpu.cpu AND f.nr < 4
                            AND (f.function LIKE 'stop_this_cpu+%'
                                 OR f.function LIKE 'hlt_play_dead+%'
                                 OR f.function LIKE 'kvm_wait+%')) THEN 'info'
            WHEN nmi_masked = 1 AND smm = 0 THEN 'fatal' ELSE 'error' END AS severity,
       CASE WHEN nmi_masked = 1 AND smm = 0 THEN 'proof' ELSE 'strong' END AS confidence
  FROM cpu
 WHERE halted = 1
   AND intr_flag = 0
   AND coalesce(smm, 0) = 0
   AND NOT (coalesce(nmi_pending, 0) = 1 AND coalesce(nmi_masked, 0) = 0)
   AND coalesce(smi_pending, 0) = 0;

SELECT sample_id || '.' || cpu AS key,
       machine_id,
       'cpu' AS tbl,
       rowid AS row,
       'mp_state ' || mp_state || ' (halted), rflags ' || hex64(rflags) || ', IF = 0'
       || coalesce(', nmi.masked ' || nmi_masked, '')
       || coalesce(', rip ' || hex64(rip), '') AS text
  FROM cpu
 WHERE halted = 1
   AND intr_flag = 0;

SELECT machine_id,
       'cpu' AS tbl,
       'halted or IF is unknown on ' || count(*) || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu
 WHERE (halted IS NULL OR intr_flag IS NULL)
   AND coalesce(halted, 1) = 1
   AND coalesce(intr_flag, 0) = 0
   AND coalesce(smm, 0) = 0
   AND coalesce(nmi_pending, 0) = 0
   AND coalesce(smi_pending, 0) = 0
 GROUP BY machine_id;
