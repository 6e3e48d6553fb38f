import { chatPlugin } from './plugins/chat';
import { memoryPlugin } from './plugins/memory';
import { overviewPlugin } from './plugins/overview';
import { panelPlugin } from './plugins/panel';
import { projectsPlugin } from './plugins/projects';
import { sessionsModelPlugin } from './plugins/sessions';
import { trustPlugin } from './plugins/trust';

export default [
  projectsPlugin,
  sessionsModelPlugin,
  trustPlugin,
  panelPlugin,
  memoryPlugin,
  overviewPlugin,
  chatPlugin
];
