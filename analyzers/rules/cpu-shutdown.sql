-- id:         cpu-shutdown
-- severity:   fatal
-- confidence: proof
-- needs:      cpu reg kernel
-- title:      The CPU has shut down: a triple fault
-- why:        An exception could not be delivered, nor the double fault that this is; the CPU stops, and a hypervisor resets it.
-- fix:        Find the first broken link: IDT limit and gate, the handler's page, the stack of the TSS (inquest show tables, inquest pt).
-- source:     SDM vol. 3, 6.15 (interrupt 8); Linux arch/x86/kvm/svm/svm.c shutdown_interception
-- proof:      scenario triple-fault
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu ' || c.cpu AS subject,
       'cpu ' || c.cpu || ' shut down'
       || CASE WHEN c.exit_reason = 8
               THEN ': KVM_RUN ended with ' || coalesce(c.exit_name, 'shutdown')
               ELSE ': a triple fault waits' END
       || CASE WHEN c.lin_rip = 4294967280
               THEN '; its registers are those of a reset, not of the fault'
               ELSE coalesce(', rip ' || hex64(c.lin_rip), '') END AS detail,
       -- with an IDT of limit 0 a Linux reboots on purpose: arch/x86/kernel/reboot.c
       CASE WHEN i.value = 0 AND EXISTS (SELECT 1 FROM kernel k
                                          WHERE k.machine_id = c.machine_id AND k.os = 'linux')
            THEN 'info' ELSE 'fatal' END AS severity
  FROM cpu c
  LEFT JOIN reg t ON t.machine_id = c.machine_id AND t.sample_id = c.sample_id
                 AND t.cpu = c.cpu AND t.name = 'triple_fault'
  LEFT JOIN reg i ON i.machine_id = c.machine_id AND i.sample_id = c.sample_id
                 AND i.cpu = c.cpu AND i.name = 'idtr.limit'
 WHERE c.exit_reason = 8
    OR t.value = 1;

SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu' AS tbl,
       c.rowid AS row,
       coalesce('exit reason ' || c.exit_reason || ' (' || c.exit_name || ')', 'exit reason unknown')
       || coalesce(', mode ' || c.mode, '') || coalesce(', rip ' || hex64(c.lin_rip), '') AS text
  FROM cpu c
UNION ALL
SELECT sample_id || '.' || cpu,
       machine_id,
       'reg',
       rowid,
       name || ' = ' || hex64(value) || coalesce(': ' || text, '')
  FROM reg
 WHERE name IN ('triple_fault', 'cr2', 'idtr.base', 'idtr.limit', 'rsp')
   AND value IS NOT NULL;

SELECT c.machine_id,
       'cpu' AS tbl,
       'neither the exit reason nor a waiting triple fault is known of ' || count(*)
       || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu c
  LEFT JOIN reg t ON t.machine_id = c.machine_id AND t.sample_id = c.sample_id
                 AND t.cpu = c.cpu AND t.name = 'triple_fault'
 WHERE c.exit_reason IS NULL
   AND t.value IS NULL
 GROUP BY c.machine_id;
