-- id:         kernel-mismatch
-- severity:   warning
-- confidence: proof
-- needs:      kernel kernel_fact
-- title:      What says where the kernel lies contradicts itself
-- why:        Symbols and addresses are right for one kernel only: a VMCOREINFO of a kernel that ran before, or a register that was overwritten, leads astray.
-- fix:        See who says what (inquest show kernel); the report goes by the CPUs' page tables where it can.
-- source:     Linux Documentation/admin-guide/kdump/vmcoreinfo.rst; arch/x86/kernel/crash_core_64.c
SELECT fact AS key,
       machine_id,
       'kernel ' || fact AS subject,
       fact || ' of the kernel is said to be '
       || group_concat(DISTINCT coalesce(words, hex64(value))) AS detail
  FROM kernel_fact
 WHERE fact IN ('release', 'build_id', 'text', 'kaslr_offset', 'phys_base', 'levels')
 GROUP BY machine_id, fact
HAVING count(DISTINCT coalesce(words, value)) > 1
UNION ALL
SELECT f.nr,
       f.machine_id,
       'cpu ' || f.cpu || ' ' || f.source,
       f.source || ' of cpu ' || f.cpu || ' leads to ' || hex64(f.value)
       || ', outside of the kernel''s image ' || hex64(k.text) || ' to ' || hex64(k.last)
  FROM kernel_fact f
  JOIN kernel k ON k.machine_id = f.machine_id
 WHERE f.fact IN ('idt_handler', 'syscall_entry')
   AND (addr_cmp(f.value, k.text) < 0 OR addr_cmp(f.value, k.last) > 0);

SELECT fact AS key,
       machine_id,
       'kernel_fact' AS tbl,
       rowid AS row,
       source || coalesce(' of cpu ' || cpu, '') || coalesce(' at ' || hex64(addr), '') || ': '
       || fact || ' ' || coalesce(words, hex64(value)) AS text
  FROM kernel_fact
 WHERE fact IN ('release', 'build_id', 'text', 'kaslr_offset', 'phys_base', 'levels')
UNION ALL
SELECT nr,
       machine_id,
       'kernel_fact',
       rowid,
       source || ' of cpu ' || cpu || coalesce(' at ' || hex64(addr), '') || ': ' || fact || ' '
       || hex64(value)
  FROM kernel_fact
 WHERE fact IN ('idt_handler', 'syscall_entry')
UNION ALL
SELECT f.nr,
       k.machine_id,
       'kernel',
       k.rowid,
       'its image is ' || hex64(k.text) || ' to ' || hex64(k.last)
  FROM kernel k
  JOIN kernel_fact f ON f.machine_id = k.machine_id
 WHERE f.fact IN ('idt_handler', 'syscall_entry');

SELECT k.machine_id,
       'kernel' AS tbl,
       'where its image lies is unknown' AS message
  FROM kernel k
 WHERE (k.text IS NULL OR k.last IS NULL)
   AND EXISTS (SELECT 1 FROM kernel_fact f WHERE f.machine_id = k.machine_id
                                             AND f.fact IN ('idt_handler', 'syscall_entry'));
