package document

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// profileEnd is how the name of a profile ends that lies in a folder of policies.
const profileEnd = ".profile.json"

// expand puts the files of a folder, those of its folders too, in its place. Hidden
// ones are passed over, and so are profiles, which policies name themselves.
func expand(paths []string) (files []string, err error) {
	var faults []error
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == "-" || err != nil || !info.IsDir() { // reading says what is wrong
			files = append(files, path)
			continue
		}

		found := 0
		err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && file != path && strings.HasPrefix(entry.Name(), ".") { // as ConfigMaps are mounted: ..data leads to ..2026_11_26_…
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)) {
				return err
			}
			if strings.HasSuffix(file, profileEnd) {
				return nil
			}
			if err := isWithin(path, file); err != nil {
				faults = append(faults, err)
				return nil
			}

			files = append(files, file)
			found++
			return nil
		})
		if err == nil && found == 0 {
			err = fmt.Errorf("%s: the folder has no *.yaml, *.yml or *.json file", Called(path))
		}
		faults = append(faults, err)
	}

	return files, errors.Join(faults...)
}

// isWithin says that a file lies in a folder, wherever links in it lead: a folder may
// come from somebody who must not have other files of this machine read.
func isWithin(folder, file string) error {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return fmt.Errorf("%s: %w", Called(file), err)
	}
	if within, err := filepath.Rel(root, target); err != nil || !filepath.IsLocal(within) {
		return fmt.Errorf("%s: is a link out of the folder, and not followed; name the file itself", Called(file))
	}

	return nil
}
