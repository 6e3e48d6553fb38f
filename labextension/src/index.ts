import { bindingPlugin } from './plugins/binding';
import { chatPlugin } from './plugins/chat';
import { commandsPlugin } from './plugins/commands';
import { memoryPlugin } from './plugins/memory';
import { overviewPlugin } from './plugins/overview';
import { panelPlugin } from './plugins/panel';
import { projectsPlugin } from './plugins/projects';
import { sessionsModelPlugin, sessionsPlugin } from './plugins/sessions';
import { settingsPlugin } from './plugins/settings';
import { trustPlugin } from './plugins/trust';
import { warningsPlugin } from './plugins/warnings';

export default [
  projectsPlugin,
  settingsPlugin,
  commandsPlugin,
  sessionsModelPlugin,
  trustPlugin,
  bindingPlugin,
  panelPlugin,
  sessionsPlugin,
  memoryPlugin,
  warningsPlugin,
  overviewPlugin,
  chatPlugin
];
