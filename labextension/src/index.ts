import { panelPlugin } from './plugins/panel';
import { projectsPlugin } from './plugins/projects';

export default [projectsPlugin, panelPlugin];
