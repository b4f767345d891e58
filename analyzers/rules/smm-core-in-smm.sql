-- id:         smm-core-in-smm
-- severity:   info
-- confidence: proof
-- needs:      cpu smm smm_save
-- title:      CPU is in system-management mode
-- why:        An SMI handler runs for microseconds, so a capture that catches one has a reason.
-- fix:        Look at what the handler does (inquest show insns) and at what it interrupted (inquest show smm-save).
-- source:     Linux arch/x86/kvm/x86.c kvm_vcpu_ioctl_x86_get_vcpu_events; SDM vol. 3, 31.3
-- proof:      scenario checksum-smm
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id AS machine_id,
       'cpu ' || c.cpu AS subject,
       'cpu ' || c.cpu || ' is in SMM at ' || coalesce(hex64(c.lin_rip), 'an unknown address')
       || coalesce(', SMBASE ' || hex64(s.smbase), '')
       || coalesce(', it interrupted ' || hex64(r.value), '') AS detail
  FROM cpu c
  LEFT JOIN smm s ON s.machine_id = c.machine_id AND s.sample_id = c.sample_id AND s.cpu = c.cpu
  LEFT JOIN smm_save r ON r.machine_id = c.machine_id AND r.sample_id = c.sample_id
                      AND r.cpu = c.cpu AND r.name = 'rip'
 WHERE c.smm = 1;

SELECT sample_id || '.' || cpu AS key,
       machine_id,
       'cpu' AS tbl,
       rowid AS row,
       'events.smi.smm = 1, mode ' || coalesce(mode, 'unknown')
       || coalesce(', rip ' || hex64(rip), '')
       || coalesce(', nmi.masked ' || nmi_masked, '') AS text
  FROM cpu
 WHERE smm = 1
UNION ALL
SELECT s.sample_id || '.' || s.cpu,
       s.machine_id,
       'smm_save',
       s.rowid,
       'saved ' || s.name || ' = ' || hex64(s.value) || ' at ' || hex64(s.addr)
  FROM smm_save s
  JOIN cpu c ON c.machine_id = s.machine_id AND c.sample_id = s.sample_id AND c.cpu = s.cpu
 WHERE c.smm = 1
   AND s.name IN ('rip', 'cr3', 'rflags');

SELECT machine_id,
       'cpu' AS tbl,
       'whether it is in SMM is unknown of ' || count(*) || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu
 WHERE smm IS NULL
 GROUP BY machine_id;
