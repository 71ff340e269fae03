'use strict';
// Who there is, and what they may. A principal is {email, projects, deny}; deny lists permissions.

const projectOf = (email) => (/@([a-z0-9-]+)\.iam\.gserviceaccount\.com$/.exec(email) || [])[1];
const AGENT = /^service-(\d+)@gcp-sa-aiplatform\.iam\.gserviceaccount\.com$/;
const agentOf = (number) => `service-${number}@gcp-sa-aiplatform.iam.gserviceaccount.com`;

// A service account of the configuration, or null. Vertex AI's own agent of each project needs no
// entry.
function principalOf({ config }, email) {
  const known = Object.hasOwn(config.google_service_accounts, email)
    ? config.google_service_accounts[email]
    : null;
  const agent = AGENT.exec(email);
  if (!known && !agent) return null;
  const home = agent ? projectNamed({ config }, agent[1]) : projectOf(email);
  return {
    email,
    projects: (known && known.projects) || [home],
    deny: (known && known.deny) || [],
    disabled: Boolean(known && known.disabled),
  };
}

// The id of a project by its id or number, or undefined.
function projectNamed({ config }, name) {
  return Object.keys(config.google_projects).find(
    (id) => id === name || config.google_projects[id].number === name,
  );
}

const may = (who, permission, project, more = []) =>
  who.projects.includes(project) && ![...who.deny, ...more].includes(permission);

module.exports = { principalOf, projectNamed, agentOf, may };
