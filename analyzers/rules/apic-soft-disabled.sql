-- id:         apic-soft-disabled
-- severity:   warning
-- confidence: strong
-- needs:      cpu lapic_reg
-- uses:       cpu_os
-- title:      A local APIC is disabled, though its CPU is sent interrupts
-- why:        With bit 8 of the spurious-interrupt vector register clear all LVT entries count as masked, and fixed interrupts sent to the CPU are dropped.
-- fix:        Whoever brings the CPU up has to set that bit (0x1ff at offset 0xf0); after a restore, see whether the LAPIC page was written.
-- source:     SDM vol. 3, 11.4.7.2 and 11.9
-- proof:      scenario ipi-lost
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu ' || c.cpu AS subject,
       'cpu ' || c.cpu || ' runs with SVR ' || hex64(v.value)
       || ', its local APIC disabled by software, '
       || CASE WHEN u.online = 1 THEN 'and the kernel uses it'
               ELSE 'and another has sent it an interrupt' END AS detail
  FROM cpu c
  JOIN lapic_reg v ON v.machine_id = c.machine_id AND v.sample_id = c.sample_id
                  AND v.cpu = c.cpu AND v.name = 'svr'
  LEFT JOIN cpu_os u ON u.machine_id = c.machine_id AND u.sample_id = c.sample_id
                    AND u.cpu = c.cpu
 WHERE v.value >> 8 & 1 = 0
   AND c.mp_state IN (0, 3)
   AND coalesce(c.smm, 0) = 0
   AND NOT (c.halted = 1 AND c.intr_flag = 0) -- parked by firmware
   AND coalesce(c.exit_reason, 0) <> 8        -- reset by a shutdown
   AND coalesce(u.online, 1) = 1
   -- a CPU of its own, which nobody sends anything, may leave it off; so may a Linux without SMP
   AND ((u.online = 1 AND EXISTS (
          SELECT 1 FROM lapic_reg o
           WHERE o.machine_id = c.machine_id AND o.sample_id = c.sample_id
             AND o.name = 'svr' AND o.value >> 8 & 1 = 1))
        OR EXISTS (
          SELECT 1 FROM lapic_reg lo, lapic_reg hi
           WHERE lo.machine_id = c.machine_id AND hi.machine_id = lo.machine_id
             AND lo.sample_id = c.sample_id AND hi.sample_id = lo.sample_id
             AND lo.cpu <> c.cpu AND hi.cpu = lo.cpu
             AND lo.name = 'icr_low' AND hi.name = 'icr_high'
             AND lo.value >> 8 & 7 = 0 AND lo.value & 255 >= 16 -- a fixed interrupt
             AND lo.value >> 18 & 3 = 0 AND lo.value >> 11 & 1 = 0 -- to one id
             AND hi.value IN (c.apic_id << 24, c.apic_id)));

SELECT sample_id || '.' || cpu AS key,
       machine_id,
       'lapic_reg' AS tbl,
       rowid AS row,
       name || ' = ' || hex64(value) || coalesce(': ' || text, '') AS text
  FROM lapic_reg
 WHERE name IN ('svr', 'id')
UNION ALL
SELECT c.sample_id || '.' || c.cpu,
       c.machine_id,
       'lapic_reg',
       l.rowid,
       'cpu ' || l.cpu || ': ' || l.name || ' = ' || hex64(l.value) || coalesce(': ' || l.text, '')
  FROM cpu c
  JOIN lapic_reg l ON l.machine_id = c.machine_id AND l.sample_id = c.sample_id
                  AND l.cpu <> c.cpu
 WHERE l.name IN ('icr_low', 'icr_high')
   AND l.value <> 0;

SELECT c.machine_id,
       'lapic_reg' AS tbl,
       'the local APIC is unknown, or the run state, of ' || count(*)
       || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu c
  LEFT JOIN lapic_reg v ON v.machine_id = c.machine_id AND v.sample_id = c.sample_id
                       AND v.cpu = c.cpu AND v.name = 'svr'
 WHERE v.value IS NULL
    OR (v.value >> 8 & 1 = 0 AND c.mp_state IS NULL)
 GROUP BY c.machine_id;
