-- id:         apic-mode-mismatch
-- severity:   error
-- confidence: proof
-- needs:      cpu reg
-- uses:       cpu_os
-- title:      The CPUs do not agree on the mode of their local APICs
-- why:        An APIC in x2APIC mode takes 32-bit destinations through MSRs, one in xAPIC mode 8-bit ones through memory: interrupts between them go astray.
-- fix:        All CPUs have to be switched alike; after a restore, see that IA32_APIC_BASE was set before the LAPIC page.
-- source:     SDM vol. 3, 11.12.1 and 11.12.5; Linux arch/x86/kvm/lapic.c kvm_apic_set_base
-- proof:      scenario lapic-x2apic-mix
WITH started AS (
  SELECT c.machine_id, c.sample_id, c.cpu,
         CASE b.value >> 10 & 3 WHEN 0 THEN 'off' WHEN 1 THEN 'invalid' WHEN 2 THEN 'xAPIC'
                                ELSE 'x2APIC' END AS mode
    FROM cpu c
    JOIN reg b ON b.machine_id = c.machine_id AND b.sample_id = c.sample_id AND b.cpu = c.cpu
              AND b.name = 'apic_base'
   WHERE b.value IS NOT NULL
     AND c.mp_state IN (0, 3)
     AND NOT (c.halted = 1 AND c.intr_flag = 0) -- parked by firmware
     AND coalesce(c.exit_reason, 0) <> 8        -- reset by a shutdown
     AND NOT EXISTS (SELECT 1 FROM cpu_os o
                      WHERE o.machine_id = c.machine_id AND o.sample_id = c.sample_id
                        AND o.cpu = c.cpu AND coalesce(o.online, 0) = 0))
SELECT 'modes.' || sample_id AS key,
       machine_id,
       'machine' AS subject,
       'the local APICs are in different modes: ' || group_concat('cpu ' || cpu || ' ' || mode, ', ')
       AS detail,
       'error' AS severity
  FROM started
 GROUP BY machine_id, sample_id
HAVING count(DISTINCT mode) > 1
UNION ALL
SELECT 'invalid.' || sample_id || '.' || cpu,
       machine_id,
       'cpu ' || cpu,
       'cpu ' || cpu || ' has the x2APIC bit of IA32_APIC_BASE set without the enable bit',
       'fatal'
  FROM started
 WHERE mode = 'invalid';

SELECT 'modes.' || sample_id AS key,
       machine_id,
       'reg' AS tbl,
       rowid AS row,
       'cpu ' || cpu || ': ' || name || ' = ' || hex64(value) || coalesce(': ' || text, '') AS text
  FROM reg
 WHERE name = 'apic_base'
   AND value IS NOT NULL
UNION ALL
SELECT 'invalid.' || sample_id || '.' || cpu,
       machine_id,
       'reg',
       rowid,
       name || ' = ' || hex64(value) || coalesce(': ' || text, '')
  FROM reg
 WHERE name = 'apic_base'
   AND value IS NOT NULL;

SELECT c.machine_id,
       'reg' AS tbl,
       'IA32_APIC_BASE or the run state is unknown of ' || count(*)
       || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu c
  LEFT JOIN reg b ON b.machine_id = c.machine_id AND b.sample_id = c.sample_id AND b.cpu = c.cpu
                 AND b.name = 'apic_base'
 WHERE b.value IS NULL
    OR c.mp_state IS NULL
 GROUP BY c.machine_id;
