// Package charttest looks at pages with charts in Chromium. It is there for tests with the build tag browser.
package charttest
