import { chatPlugin } from './plugins/chat';
import { commandsPlugin } from './plugins/commands';
import { memoryPlugin } from './plugins/memory';
import { overviewPlugin } from './plugins/overview';
import { panelPlugin } from './plugins/panel';
import { projectsPlugin } from './plugins/projects';
import { sessionsModelPlugin } from './plugins/sessions';
import { settingsPlugin } from './plugins/settings';
import { trustPlugin } from './plugins/trust';
import { warningsPlugin } from './plugins/warnings';

export default [
  projectsPlugin,
  settingsPlugin,
  commandsPlugin,
  sessionsModelPlugin,
  trustPlugin,
  panelPlugin,
  memoryPlugin,
  warningsPlugin,
  overviewPlugin,
  chatPlugin
];
