/* The commands of inquest-vmm: argv[0] is the command's name; each returns an exit code. */
#ifndef VMM_COMMANDS_H
#define VMM_COMMANDS_H

int vmm_cmd_run(int argc, char **argv);
int vmm_cmd_resume(int argc, char **argv);
int vmm_cmd_draw(int argc, char **argv);

#endif
