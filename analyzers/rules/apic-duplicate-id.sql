-- id:         apic-duplicate-id
-- severity:   fatal
-- confidence: proof
-- needs:      cpu lapic_reg
-- title:      Two local APICs have the same id
-- why:        An interrupt sent to that id reaches both CPUs or only one of them, and the other ids reach nobody.
-- fix:        See who gives the ids out: a vCPU takes that of its creation, a restored LAPIC page must bring the same.
-- source:     SDM vol. 3, 11.4.6; Linux arch/x86/kvm/lapic.c kvm_apic_state_fixup
-- proof:      built sql
SELECT sample_id || '.' || apic_id AS key,
       machine_id,
       'machine' AS subject,
       'APIC id ' || apic_id || ' is that of ' || group_concat('cpu ' || cpu, ' and ') AS detail
  FROM cpu
 WHERE apic_id IS NOT NULL
 GROUP BY machine_id, sample_id, apic_id
HAVING count(*) > 1;

SELECT c.sample_id || '.' || c.apic_id AS key,
       c.machine_id,
       'lapic_reg' AS tbl,
       l.rowid AS row,
       'cpu ' || c.cpu || ': id = ' || hex64(l.value) || coalesce(': ' || l.text, '') AS text
  FROM cpu c
  JOIN lapic_reg l ON l.machine_id = c.machine_id AND l.sample_id = c.sample_id
                  AND l.cpu = c.cpu AND l.name = 'id';

SELECT machine_id,
       'cpu' AS tbl,
       'the APIC id is unknown of ' || count(*) || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu
 WHERE apic_id IS NULL
 GROUP BY machine_id;
