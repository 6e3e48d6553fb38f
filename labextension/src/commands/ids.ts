/** The commands of this extension. All but `create` and `importArchive` take `project_id`. */
export const CommandIDs = {
  create: 'cognition:create-project',
  importArchive: 'cognition:import-project',
  open: 'cognition:open-project',
  newNotebook: 'cognition:new-notebook',
  newConsole: 'cognition:new-console',
  pin: 'cognition:pin-project',
  extend: 'cognition:extend-project',
  edit: 'cognition:edit-project',
  duplicate: 'cognition:duplicate-project',
  exportArchive: 'cognition:export-project',
  delete: 'cognition:delete-project',
  restore: 'cognition:restore-project',
  trust: 'cognition:trust-project',
  memory: 'cognition:open-memory',
  overview: 'cognition:open-overview',

  /** Also takes `session_id`. */
  journal: 'cognition:open-journal',
  chat: 'cognition:open-chat'
} as const;
