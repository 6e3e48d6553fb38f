import type { ServerConnection } from '@jupyterlab/services';

import { list, record, requiredText, text, textOrNull } from './check';
import { requestJSON } from './request';

/** What a project can begin with. */
export interface ITemplate {
  readonly name: string;
  readonly title: string;
  readonly description: string;

  /** Why it can't be used; null when it can. */
  readonly brokenReason: string | null;
}

/** Ask the server for its templates. Throws as `listProjects` does. */
export async function listTemplates(
  settings: ServerConnection.ISettings
): Promise<readonly ITemplate[]> {
  const body = record(await requestJSON(settings, { path: ['api', 'templates'] }));
  return list(body.templates, value => {
    const template = record(value);
    const name = requiredText(template.name);
    return {
      name,
      title: text(template.title) || name,
      description: text(template.description),
      brokenReason: textOrNull(template.broken)
    };
  });
}
