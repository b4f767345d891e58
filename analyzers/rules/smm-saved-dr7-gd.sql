-- id:         smm-saved-dr7-gd
-- severity:   warning
-- confidence: proof
-- needs:      smm smm_save
-- title:      What the SMI saved has general detect (DR7.GD) set
-- why:        A handler that loads the saved DR7, as EDK2 with PcdCpuSmmDebug does, takes a #DB at its next access to a debug register.
-- fix:        Whoever set it: a hypervisor should clear bit 13 of its guest's DR7 and intercept MOV DR instead; the handler should mask the bit.
-- source:     SDM vol. 3, 17.2.4 (GD) and 31.4.1 (save area); APM vol. 2, 13.1.1.4; EDK2 PiSmmCpuDxeSmm SmiEntry
-- proof:      scenario smm-dr7gd-l1
SELECT s.sample_id || '.' || s.cpu AS key,
       s.machine_id,
       'cpu ' || s.cpu AS subject,
       'the ' || m.map || ' save area of cpu ' || s.cpu || ' holds DR7 ' || hex64(s.value)
       || ': bit 13, GD'
       || iif(m.in_smm = 1, '', '; it is of an SMI that has passed') AS detail
  FROM smm_save s
  JOIN smm m USING (machine_id, sample_id, cpu)
 WHERE s.name = 'dr7'
   AND s.value >> 13 & 1 = 1
   AND (m.in_smm = 1 OR coalesce(m.smi_count, 1) > 0);

SELECT sample_id || '.' || cpu AS key,
       machine_id,
       'smm_save' AS tbl,
       rowid AS row,
       'saved ' || name || ' = ' || hex64(value) || ' at ' || hex64(addr)
       || coalesce(': ' || text, '') AS text
  FROM smm_save
 WHERE name IN ('dr7', 'rip', 'cr3', 'svm_guest')
    OR (name = 'vmcb' AND value <> 0);

SELECT machine_id,
       'smm' AS tbl,
       'the save area is not in the dump, of ' || count(*)
       || iif(count(*) = 1, ' CPU', ' CPUs') || ' that may have used it' AS message
  FROM smm
 WHERE revision IS NULL
   AND coalesce(in_smm, 1) + coalesce(smi_count, 1) > 0
 GROUP BY machine_id;
