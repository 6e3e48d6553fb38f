import { LabIcon } from '@jupyterlab/ui-components';

import projectsSvg from '../style/icons/projects.svg';

/** The icon of the panel in the sidebar. */
export const projectsIcon = new LabIcon({
  name: 'cognition-jupyter:projects',
  svgstr: projectsSvg
});
