-- id:         kvm-internal-error
-- severity:   fatal
-- confidence: proof
-- needs:      cpu flight
-- title:      KVM could not go on with this vCPU
-- why:        KVM_RUN ended with an internal error or a failed entry: the guest's state is one that KVM cannot emulate, or that the CPU refuses.
-- fix:        Look at the instruction at RIP and at the walk to it and to its operand (inquest pt); of a failed entry, at segments, control registers and events.
-- source:     Linux Documentation/virt/kvm/api.rst, KVM_EXIT_INTERNAL_ERROR and KVM_EXIT_FAIL_ENTRY
-- proof:      built sql
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu ' || c.cpu AS subject,
       'KVM_RUN of cpu ' || c.cpu || ' ended with ' || coalesce(c.exit_name, c.exit_reason)
       || CASE WHEN c.exit_reason <> 17 THEN coalesce(', reason ' || hex64(f.value), '')
               ELSE CASE f.value WHEN 1 THEN ': an instruction that it could not emulate'
                                 WHEN 2 THEN ': two exceptions at once'
                                 WHEN 3 THEN ': an exit while an event was being delivered'
                                 WHEN 4 THEN ': an exit that it does not know'
                                 ELSE '' END END
       || coalesce(', rip ' || hex64(c.lin_rip), '') AS detail
  FROM cpu c
  LEFT JOIN flight f ON f.machine_id = c.machine_id AND f.sample_id = c.sample_id
                    AND f.cpu = c.cpu AND f.what = 'run' AND f.exit_reason = c.exit_reason
                    AND f.nr = (SELECT max(n.nr) FROM flight n
                                 WHERE n.machine_id = c.machine_id AND n.sample_id = c.sample_id
                                   AND n.cpu = c.cpu AND n.what = 'run')
 WHERE c.exit_reason IN (9, 17);

SELECT sample_id || '.' || cpu AS key,
       machine_id,
       'cpu' AS tbl,
       rowid AS row,
       'exit reason ' || exit_reason || ' (' || coalesce(exit_name, 'unnamed') || '), mode '
       || coalesce(mode, 'unknown') || coalesce(', rip ' || hex64(lin_rip), '') AS text
  FROM cpu
 WHERE exit_reason IN (9, 17);

SELECT machine_id,
       'cpu' AS tbl,
       'what KVM_RUN ended with is unknown of ' || count(*) || iif(count(*) = 1, ' CPU', ' CPUs')
       AS message
  FROM cpu
 WHERE exit_reason IS NULL
 GROUP BY machine_id;
